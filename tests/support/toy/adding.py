"""What the toy's jobs depend on."""


def add(a: int, b: int) -> int:
    return a + b
