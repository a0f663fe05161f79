"""Clinical language: what a text that clinicians write says of a tumour, word by word, and the codes that follow.

A text becomes units (`words`), with abbreviations in full (`abbreviations`) and facts such as stage and size apart
(`facts`). Units get roles (`roles`), patterns of the tables find sites and histologies among them (`patterns`, `rows`,
`lexicon`), `mentions` says which tumours the text speaks of and which it is about, `sites` where that one is, and
`combination` which code of ICD-10 follows. `reading` puts it together. The tables are data files;
docs/language.md describes them.
"""
