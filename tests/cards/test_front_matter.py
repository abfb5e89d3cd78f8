"""The YAML head of a card: exact for who reads YAML, plain text for who shows it as Markdown."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report.report_dossiers import HOSTILE

from synthml.report.front_matter import front_matter

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MEANT = {
    "html_block", "html_inline", "link_open", "image", "code_inline", "code_block", "fence",
    "em_open", "strong_open", "s_open", "table_open",
}  # fmt: skip


def marks(text: str) -> set[str]:
    """Kinds of Markdown tokens in a text."""
    found = set()
    for token in MARKDOWN.parse(text):
        found |= {token.type} | {child.type for child in token.children or ()}
    return found


def read(block: str) -> object:
    assert block.startswith("---\n")
    assert block.endswith("\n---\n")
    return yaml.safe_load(block[4:-5])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(),
            st.sampled_from([text[:300] for text in HOSTILE]),
            st.sampled_from(["yes", "1.0", "null", "~", "2026-01-01", "__0__", "a _b_ c", "www.1a.org", "a: b", "1. x", "a\nb"]),
        ),
        min_size=1,
    )
)
def test_any_text_is_read_back_exactly_and_means_nothing_in_markdown(texts: list[str]) -> None:
    """Whatever a label is, YAML gives it back, and no viewer of Markdown makes a tag, link, image or code of it."""
    data = {"license": "unknown", "tags": texts, "model-index": [{"name": text, "value": 0.5} for text in texts]}
    block = front_matter(data)
    assert read(block) == data
    assert not marks(block) & MEANT
    assert not any(sign in block for sign in ("://", "www.", "<", "@"))


def test_digests_and_numbers_stand_as_they_are() -> None:
    """What people look for is readable without decoding."""
    digest = "sha256:" + "a1" * 32
    block = front_matter({"datasets": [digest], "name": "AUROC (95% interval 0.664 to 0.689)", "value": 0.676})
    assert f"- {digest}\n" in block
    assert "AUROC (95% interval 0.664 to 0.689)" in block
    assert "value: 0.676\n" in block
