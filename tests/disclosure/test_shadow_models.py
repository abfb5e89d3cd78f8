"""Shadow models: a generator that copies is caught on its most exposed patients, one that never looked is not."""

import pytest
from disclosure.attacked import people, study_of

import synthml
from synthml.disclosure.ground import Ground
from synthml.disclosure.membership.shadow import shadow_figures


class Copies:
    """Gives its source back, in another order."""

    def fit(self, source, *, subject=None, progress=lambda _: None):
        self.source = source
        return self

    def sample(self, rows=None, *, seed=0):
        return self.source.sample(frac=1, random_state=seed).reset_index(drop=True)


class NeverLooked(Copies):
    """Draws from the population, whatever it was given."""

    def sample(self, rows=None, *, seed=0):
        fresh = people(len(self.source), seed % 100_000)
        return fresh[[name for name in fresh.columns if name in self.source.columns]]


def shadows(generator, models=12):
    settings = synthml.DisclosureSettings(shadow_models=models)
    study = study_of(people(300, 1), people(300, 2), people(300, 3))
    ground = Ground.of(study, settings=settings, seed=5, synthesizer=generator)
    return {name.split("/")[0].rpartition(".")[2]: figure for name, figure in shadow_figures(ground).items()}


def test_a_generator_that_copies_is_caught():
    found = shadows(Copies())
    assert found["shadow_auroc"].low > 0.95
    assert found["shadow_tpr_at_fpr_10"].low > 0.9
    assert found["shadow_epsilon_bound"].value > 3, "such rates are impossible below epsilon 3"


def test_a_generator_that_never_looked_is_not():
    found = shadows(NeverLooked(), models=20)
    assert found["shadow_auroc"].value == pytest.approx(0.5, abs=0.05)
    assert found["shadow_epsilon_bound"].value < 0.3


def test_shadows_say_what_they_rest_on():
    found = shadows(Copies())
    assert "12 shadow models" in found["shadow_auroc"].method
    assert found["shadow_auroc"].n == pytest.approx(600, abs=60), "a hundred targets, in about half of twelve shadows"


def test_too_few_shadows_are_insufficient():
    found = shadows(Copies(), models=3)
    assert {figure.status for figure in found.values()} == {"insufficient"}
    assert "8 or more" in found["shadow_auroc"].reason


def test_none_are_trained_unless_asked():
    assert shadows(Copies(), models=0) == {}
