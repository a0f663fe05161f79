"""Questions on diagnosis texts as clinicians write them, composed from the tables of clinical language.

`wordings` writes out the patterns of the tables with the help of `grammar`, `tumours` says which sites and kinds go
together and which codes follow, `writing` puts wordings, decorations and frames into texts, and `composing` keeps the
texts that read as they were composed, so many for each code. `blocks` makes entries of them. The data files lie in
`data/`; docs/data.md describes them.
"""
