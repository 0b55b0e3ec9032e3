"""Time series (C, T)."""

from erlangen.auditing.arrays import array_domain
from erlangen.symmetries.time_shift import TimeShift

DOMAIN = array_domain("series", ("C", "T"), (TimeShift("circular"), TimeShift("zeros")), channels_first=True)
