"""erlangen: which symmetries does a neural network really have?

Importing the package loads no torch; the parts that compute do.
"""

__version__ = "0.1.0"
