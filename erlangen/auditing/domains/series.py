"""Time series (C, T)."""

from erlangen.auditing.arrays import array_domain
from erlangen.symmetries.series_causality import SeriesCausality
from erlangen.symmetries.time_shift import TimeShift

SYMMETRIES = (TimeShift("circular"), TimeShift("zeros"), SeriesCausality())
DOMAIN = array_domain("series", ("C", "T"), SYMMETRIES, channels_first=True)
