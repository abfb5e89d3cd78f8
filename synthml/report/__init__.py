"""What a reviewer reads: pure functions from a dossier, and a verdict if there is one, to text.

`html`         the report: one self-contained file
`model_card`   the full model card: Hugging Face metadata and the fields of CHAI's applied model card (`chai`)
`mlbom`        the machine learning bill of materials, CycloneDX
`card`         the reviewer's card: Markdown of at most 5,000 characters, the description of a model version
`notebook`     how a dossier and a verdict show in a notebook

`reading`      what a report reads out of a dossier
`summary`      the first screen: what was asked, the answer, what is missing
`questions`    the eighteen questions of a model reviewer, answered in order
`performance`, `groups`, `curves`, `bias`, `fidelity`, `quality`, `disclosure`, `drift`, `provenance`    the chapters
`descent`      the drawing of lineage
`lines`        what synthesis did, in a line a chapter
`charts`       the geometry of plots
`terms`        every term in one sentence
`wording`      how numbers and labels are written; `markdown`: how they stay text there
`templates/`   the page and its style
"""
