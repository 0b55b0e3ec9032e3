"""Point clouds (N, d)."""

from dataclasses import replace

from erlangen.auditing.arrays import array_domain
from erlangen.symmetries.point_permutation import PointPermutation
from erlangen.symmetries.point_rotation import PointRotation
from erlangen.symmetries.point_translation import PointTranslation

DOMAIN = replace(array_domain("points", ("N", "d"), (PointPermutation(), PointRotation(), PointTranslation())), site="point")
