"""Bad input on purpose: real files, damaged by chance or with intent, and what must come of them.

`make fuzz` runs 20,000 cases, `make test` 500. A case is a number: the same kind and seed make the same files
each time. Run one again with `cd tests && python -m fuzz KIND SEED`.

    originals   small real files of each format
    mutations   what happens to them, and the repair of checksums so that readers look further
    cases       a kind of input: which files make it, and which reader gets it
    oracle      what a reader may do with a case
    worker      a process that runs cases under limits, and may die of one
    pool        the processes, watched
"""
