"""Made-up label words, each in one part. None is a word of the small world, so a label means what examples give it."""

from manyshot.tasks.builtin.lexicon import Part

LABELS: dict[Part, tuple[str, ...]] = {
    "train": tuple(
        "blik dorn fask mirp zib dax wug tolma gep rindo vash koob lusk prum snad yeb trok hulm fiv grent jup melk "
        "norv pask quib reft sodi tamf ulb vint wex yolm zand brup clav dree fump glax hesk ipsu jent kiv lorp mab "
        "nux obra pilt rax spov".split()
    ),
    "dev": tuple("zilt cowb dask erk fron gulv hab jilm kreb lond mupp nerb".split()),
    "held_out": tuple(
        "zunt koll wusp yarg bintu crev dulf emba fosk garn hixo jorb kelb luma mord nild ploo quon ruv sterk twib umo "
        "vekt wolb".split()
    ),
}
"""Part -> label words."""
