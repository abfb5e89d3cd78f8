"""Disclosure: the synthetic table attacked as an intruder would, one attack a module.

Each attack is made on the source's patients (main) and on patients whom the generator never saw (control), beside what guessing
reaches (baseline). Their difference is what the synthetic table gives away about the people behind it; what an attack reaches on
both alike is knowledge about the population, and no disclosure.

`ground`        the tables side by side, in an order of their content; the unit is the patient
`finding`       rates, risk, groups: one shape for all attacks
`attack`        the strongest mode decides; an attack that stays quiet must show its power on planted rows (`power`)
`singling_out`  `linkability`  `inference`  `membership`  `copies`  `distances`  `attribution`   the attacks
`split_half`    what two samples of one population look like to each other
`measure`       all of them on one study, and the rows at risk for the custodian alone
"""

from __future__ import annotations

from synthml.disclosure.measure import RowsAtRisk, measure_disclosure

__all__ = ["RowsAtRisk", "measure_disclosure"]
