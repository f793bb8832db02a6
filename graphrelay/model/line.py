"""Text from elsewhere, made fit for one line that people read."""


def one_line(text: object, longest: int | None = None) -> str:
    """One line of printable characters, of at most `longest`: no line ends, no terminal escapes,
    nothing that turns the writing direction or hides letters, and no run of spaces. `…` stands
    for what was cut off."""
    shown = str(text)
    if not shown.isprintable():
        shown = "".join(letter if letter.isprintable() else " " for letter in shown)
    shown = " ".join(shown.split())
    return shown if longest is None or len(shown) <= longest else f"{shown[: longest - 1]}…"
