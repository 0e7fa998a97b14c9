"""ManyShotTrainer: transformers' Trainer with a head on target positions only, global averaging, and atomic checkpoints."""

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainingArguments

from manyshot.errors import RecipeError
from manyshot.files import read_json, write_json
from manyshot.models.held import has_held_rows
from manyshot.models.soft_prompt import ROW_TASKS, is_prompted
from manyshot.objectives import ObjectiveOptions, fill_mask, keep_mask, target_nll, zero_and_few_shot
from manyshot.training.checkpoints import newest_complete, rotate, seal
from manyshot.training.collation import EpisodeCollator
from manyshot.training.meter import Meter
from manyshot.training.preserving import KL_TERMS, Preservation

METER_FILE = "meter.json"
STAGING = ".staging"
# columns of a batch that are the objective's, not the model's
_COUNTS = ("denominator", "n_tokens", "n_answers", *KL_TERMS, "zero_shot_denominator", "few_shot_denominator")
_OURS = (*_COUNTS, "loss_weights", "shot_buckets", "labels", "bounds", "is_text", "is_general", "task")


class ManyShotTrainer(Trainer):
    """Trains a causal language model on rows whose answers are weighed by an objective.

    Takes everything that `transformers.Trainer` takes, and `objective`. Whatever `args` say, data come in the order of
    their numbers (a resumed run goes on with the next row) and rows keep all their columns. The model's own forward makes
    logits at target positions only (`logits_to_keep` with a (row, token) mask), so soft-caps, scales, adapters, DDP and
    FSDP act as always.

    RecipeError for what cannot be trained sharded over devices; a loss that is not a number is logged as such.
    """

    def __init__(
        self,
        model: Any = None,
        args: TrainingArguments | None = None,
        *,
        objective: ObjectiveOptions | None = None,
        data_collator: Any = None,
        **kwargs: Any,
    ) -> None:
        args = copy.copy(args) if args is not None else TrainingArguments(output_dir="checkpoints")
        args.remove_unused_columns = False
        args.train_sampling_strategy = "sequential"
        args.logging_nan_inf_filter = False
        self.objective = objective or ObjectiveOptions()
        self.meter = Meter()
        self._staging: str | None = None
        super().__init__(
            model=model, args=args, data_collator=data_collator or EpisodeCollator(self.objective), **kwargs
        )
        # the loss is divided by the whole batch's denominator, accumulation steps and ranks included
        self.loss_is_scaled_for_ga = True
        self._counts: dict[str, float] = {}
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            self._refuse_what_is_lost_in_shards()
        self.preservation = Preservation(self.objective.preservation, self.model, self.meter)
        self._is_prompted = is_prompted(self.model)

    def _refuse_what_is_lost_in_shards(self) -> None:
        if has_held_rows(self.model):
            raise RecipeError(
                "tuning.preset: the rows of a fused matrix that must not move are held by hooks on its parameter, which fsdp "
                "and deepspeed replace, so they would move; use full or lora, or train without fsdp and deepspeed"
            )
        terms = self.objective.preservation
        if terms.needs_reference or terms.l2_sp is not None:
            raise RecipeError(
                "objective.preservation: the start of a model that is sharded over devices cannot be kept; train without "
                "fsdp and deepspeed, or leave kl_input, kl_icl and l2_sp out"
            )

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | None:
        """Return the averaging's denominator over accumulation steps and ranks. Private in transformers; see its tests."""
        if not batch_samples:
            return None
        keys = [key for key in _COUNTS if key in batch_samples[0]]
        sums = torch.tensor(
            [sum(float(b[key].sum()) for b in batch_samples) for key in keys],
            dtype=torch.float64,
        ).to(device, torch.float64 if device.type != "mps" else torch.float32)
        if self.args.world_size > 1:
            sums = self.accelerator.reduce(sums, reduction="sum")
        self._counts = {key: float(value) for key, value in zip(keys, sums, strict=True)}
        self.meter.count(int(self._counts["n_tokens"]), int(self._counts["n_answers"]))
        return torch.tensor(self._counts["denominator"], device=device)

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        """Return the batches of one step, each with rows of like length, and the global denominator."""
        batches, denominator = super().get_batch_samples(epoch_iterator, num_batches, device)
        # a collator made from it may have columns that it does not know
        if type(self.data_collator) is EpisodeCollator:
            batches = self.data_collator.regroup(batches)
        return batches, denominator

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return sum(weight * -log p) over the global denominator, in training with the preservation terms."""
        ids, target = inputs["input_ids"], keep_mask(inputs["loss_weights"])
        columns = {key: value for key, value in inputs.items() if key not in _OURS}
        if self._is_prompted and "task" in inputs:
            columns[ROW_TASKS] = inputs["task"]
        is_training = num_items_in_batch is not None
        # an evaluation is the loss of the answers alone
        held = self.preservation.positions(inputs) if is_training else {}
        kept = fill_mask(torch.stack([target, *held.values()]).any(0))
        if not held:
            # what fills up weighs nothing, and so all logits are used as they come, without a copy
            target = kept
        outputs = model(**columns, logits_to_keep=kept, use_cache=False)
        logits = outputs.logits.reshape(-1, outputs.logits.shape[-1])  # (kept, vocab)
        own = logits[target[kept]] if held else logits
        target = target[:, :-1]  # (row, token - 1): the last token predicts nothing
        nll = target_nll(own, ids[:, 1:][target])
        weights, buckets = inputs["loss_weights"][:, 1:][target], inputs["shot_buckets"][:, 1:][target]
        if model.training:
            # what fills up is no target
            self.meter.add_losses(nll, buckets.where(weights > 0, -1))
        weighed = nll * weights
        if not is_training:
            loss = weighed.sum() / inputs["denominator"].sum()
            return (loss, outputs) if return_outputs else loss
        step = (self.state.global_step, self.state.max_steps)
        few_shot = self.preservation.few_shot_weight(*step)
        if few_shot is None:
            # a batch may consist of general rows that are only held
            loss = weighed.sum() / torch.as_tensor(num_items_in_batch, device=weighed.device).clamp(min=1e-12)
        else:
            parts = (self._counts["zero_shot_denominator"], self._counts["few_shot_denominator"])
            loss = zero_and_few_shot(weighed, buckets > 0, parts, few_shot)
        if held:

            def start_logits(wanted: torch.Tensor) -> torch.Tensor:
                # not through DDP: ranks whose rows have no such positions do not take part
                own = self.accelerator.unwrap_model(model)
                return self.preservation.start_logits(own, columns, wanted, self.accelerator.autocast())

            loss = loss + self.preservation.divergences(logits, kept, held, self._counts, step, start_logits)
        # data-parallel ranks average their gradients; the sum over ranks is wanted
        loss = loss * self.accelerator.num_processes
        distance = self.preservation.distance(step)
        if distance is not None:
            # of the parameters and not of the batch: once a step, whatever its accumulation
            loss = loss + distance / self.current_gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[torch.Tensor, None, None]:
        """Return a batch's loss under the objective; it is not counted as training."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            loss = self.compute_loss(model, inputs)
        return loss.detach(), None, None

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add loss by shots and speed to each line of the training log."""
        if "loss" in logs:
            logs = {**logs, **self.meter.read()}
        super().log(logs, start_time)

    def _get_output_dir(self, trial: Any) -> str:
        return self._staging or super()._get_output_dir(trial)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save into a staging folder, seal it, give it its name, then delete older ones."""
        folder = Path(super()._get_output_dir(trial))
        name, limit = f"checkpoint-{self.state.global_step}", self.args.save_total_limit
        self._staging, self.args.save_total_limit = str(folder / STAGING), None
        if self.args.should_save:
            shutil.rmtree(self._staging, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        best = self.state.best_global_step
        if best:
            # the Trainer looks for it in the staging folder, where it is not
            self.state.best_model_checkpoint = str(folder / f"checkpoint-{best}")
        try:
            super()._save_checkpoint(model, trial)
        finally:
            staging, self._staging, self.args.save_total_limit = Path(self._staging), None, limit
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            write_json(staging / name / METER_FILE, self.meter.state())
            if (folder / name).exists():
                shutil.rmtree(folder / name)
            seal(staging / name, folder / name, self.state.global_step)
            staging.rmdir()
            rotate(folder, limit, [folder / f"checkpoint-{best}"] if best else [])
        self.accelerator.wait_for_everyone()

    def train(self, resume_from_checkpoint: Any = None, **kwargs: Any) -> Any:
        """Train; a checkpoint to resume from brings its counts of tokens and answers along."""
        if resume_from_checkpoint is True:
            resume_from_checkpoint = newest_complete(str(self.args.output_dir))[0]
        if isinstance(resume_from_checkpoint, (str, Path)):
            resume_from_checkpoint = str(resume_from_checkpoint)
            counts = Path(resume_from_checkpoint) / METER_FILE
            if counts.is_file():
                self.meter.restore(read_json(counts))
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)
