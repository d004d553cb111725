"""How far ffmpeg is on the way to what an order wants."""

from processing.facts import Order


class Progress:
    """How far ffmpeg is, from the lines of its `-progress`: by frames, or by seconds of output."""

    def __init__(self, order: Order, frames: int = 0, seconds: float = 0) -> None:
        self.order = order
        self.owed = {"frame": frames, "out_time_us": seconds * 1e6}
        self.fraction = 0.0
        self.last: dict[str, str] = {}

    def read(self, line: str) -> bool:
        """Take a line in; False if it does not show that ffmpeg got any further."""
        name, _, value = line.partition("=")
        if name not in self.owed or self.last.get(name) == value:
            return False
        self.last[name] = value
        if value.isdigit() and self.owed[name]:
            # The last hundredth is for the end of the files and for looking at what was made.
            self.fraction = max(self.fraction, min(0.99, int(value) / self.owed[name]))
        return True

    def tick(self) -> None:
        """Tell the order how far we are; that may raise."""
        self.order.report(self.fraction)
