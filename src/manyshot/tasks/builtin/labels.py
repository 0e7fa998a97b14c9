"""Made-up label words, each in one part. None is a word of the small world, so a label means what examples give it."""

from manyshot.tasks.builtin.lexicon import Part

LABELS: dict[Part, tuple[str, ...]] = {
    "train": tuple(
        "blik dorn fask mirp zib dax wug tolma gep rindo vash koob lusk prim snad yeb trok hulm fiv grent jup melk "
        "norv pask quib reft sodi tamp ulb vint wex yolk zand brup clav dree fump glax hesk ipso jent kiv lorp mab "
        "nux obra pilt rax spov".split()
    ),
    "dev": tuple("zilt cowb dask erk fron gulp hab jilm kreb lond mupp nerb".split()),
    "held_out": tuple(
        "zunt koll wisp yarg bintu crev dulf emba fosk garn hixo jorb kelp luma mord nild ploo quon ruv sterk twib umo "
        "vekt wold".split()
    ),
}
"""Part -> label words."""
