"""Verdict: what a policy came to, in the shape of in-toto's test result, so that any tool that reads those can read this one.

https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md, version 0.1. That shape has no word for "could
not be decided", and whoever reads only `result` must not take it for a pass:

    outcome        result     where its criteria stand
    pass           PASSED     passedTests
    pass, with     WARNED     what only warns, and what was waived, in warnedTests
      warnings
    insufficient   FAILED     what could not be decided, in failedTests
    fail           FAILED     what failed or could not be decided, in failedTests

`configuration` is the policy, by name and digest. What the shape has no place for stands under a name of ours, as in-toto's rule
for extensions asks: the outcome itself, the digest of the verdict, and the whole verdict. Subjects: `model`, `evidence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.attestation.predicates.fields import choice, mapping, mappings, text, texts
from synthml.attestation.predicates.names import NAMESPACE
from synthml.attestation.statement import Subject
from synthml.errors import AttestationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TEST_RESULT", "VerdictPredicate", "verdict_v01"]

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
_OURS = f"{NAMESPACE}/verdict/v1"
_OUTCOMES = ("pass", "fail", "insufficient")


@dataclass(frozen=True)
class VerdictPredicate:
    """policy: name with version; policy_digest, digest: of policy and verdict. passed, warned, failed: names of criteria.

    verdict: the document, as `synthml.policy.Verdict` writes and reads it.
    """

    outcome: str
    policy: str
    policy_digest: str
    digest: str
    verdict: Mapping[str, Any]
    passed: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def result(self) -> str:
        """in-toto's word."""
        if self.outcome != "pass":
            return "FAILED"
        return "WARNED" if self.warned else "PASSED"

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {
            "result": self.result,
            "configuration": [Subject(self.policy, self.policy_digest).to_dict()],
            "passedTests": list(self.passed),
            "warnedTests": list(self.warned),
            "failedTests": list(self.failed),
            _OURS: {"outcome": self.outcome, "digest": self.digest, "verdict": dict(self.verdict)},
        }


def verdict_v01(data: Mapping[str, Any]) -> VerdictPredicate:
    """Read version 0.1 with our extension. Raises AttestationError: a test result of another tool, or one at odds with itself."""
    if _OURS not in data:
        raise AttestationError("the test result is not a verdict of synthml")
    ours = mapping(data, _OURS)
    configuration = mappings(data, "configuration")
    if len(configuration) != 1:
        raise AttestationError("a verdict is about one policy")
    policy = Subject.from_dict(configuration[0])
    found = VerdictPredicate(
        outcome=choice(ours, "outcome", _OUTCOMES),
        policy=policy.name,
        policy_digest=policy.digest,
        digest=text(ours, "digest"),
        verdict=mapping(ours, "verdict"),
        passed=texts(data, "passedTests"),
        warned=texts(data, "warnedTests"),
        failed=texts(data, "failedTests"),
    )
    if data.get("result") != found.result:
        raise AttestationError(f"the verdict contradicts itself: '{found.outcome}' is {found.result} in in-toto's words")
    return found
