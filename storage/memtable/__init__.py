"""A table's data in memory: `memtable` by key, `partition` by clustering, `packed` a plain row's form, deletions, drafts."""
