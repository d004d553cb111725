"""How values look on pages: states, errors, durations, ages, icons."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from processing import estimates, storage
from processing.errors import sentence_for
from processing.history import Hour
from processing.models import Job, Run
from processing.queues import Queue
from processing.standing import Lines, Standing

register = template.Library()

# What people call a state, its icon, and the tone that colours it. Runs and jobs share the words.
STATES = {
    "received": (_("Waiting"), "clock", "waiting"),
    "waiting": (_("Waiting"), "circle-dashed", "waiting"),
    "queued": (_("In line"), "clock", "waiting"),
    "processing": (_("Processing"), "loader-circle", "running"),
    "running": (_("Running"), "loader-circle", "running"),
    "ready": (_("Ready"), "circle-check", "ready"),
    "succeeded": (_("Done"), "circle-check", "ready"),
    "failed": (_("Failed"), "circle-x", "failed"),
    "canceled": (_("Canceled"), "ban", "waiting"),
}
REASONS = {
    "empty": _("empty"),
    "too_large": _("too large"),
    "quota_exceeded": _("quota exceeded"),
    "unsupported_type": _("unsupported type"),
    "corrupt": _("damaged"),
    "too_many_pixels": _("too many pixels"),
    "too_many_frames": _("too many frames"),
    "too_long": _("too long"),
    "no_video": _("no picture"),
    "too_many_streams": _("too many streams"),
    "resource_limit": _("resource limit"),
    "canceled": _("canceled"),
    "internal": _("our fault"),
}
# What engines say of a damaged file, which know no language; what ffmpeg says besides stays as it is.
CAUSES = (
    gettext_noop("it ends too early"),
    gettext_noop("its content makes no sense"),
    gettext_noop("its header makes no sense"),
    gettext_noop("its loudness cannot be measured"),
    gettext_noop("no frame could be decoded"),
    gettext_noop("no frames"),
    gettext_noop("no picture size"),
    gettext_noop("nothing could be decoded"),
    gettext_noop("the decoder crashed on it"),
)
UNITS = ((86_400, _("%(count)s d")), (3600, _("%(count)s h")), (60, _("%(count)s min")), (1, _("%(count)s s")))


SCALING = (
    "celery -A mediaweb worker -Q {0} -n {0}-2@%h -l INFO",
    "docker compose -f compose/compose.yaml up -d --scale worker-{0}=2",
    "kubectl scale deployment/worker-{0} --replicas=2",
)

register.filter("address", storage.url)


LAGGING = 15 * 60  # seconds that what is in line may take before we say so: people have gone by then
FAILING, FEW = 0.25, 4  # share of an hour's jobs that may fail, and number: one bad folder is no fault of ours
HIGH = 32  # of a bar, in the units of its drawing; the least that is seen is 1


@register.filter
def lags(queue: Queue) -> bool:
    """Whether more workers would be felt."""
    return queue.seconds_to_empty > LAGGING


@register.filter
def fails(hour: Hour) -> bool:
    """Whether so much of the last hour's work failed that somebody should look."""
    return hour.failed > FEW and hour.failed > FAILING * hour.done


@register.simple_tag
def bar_of(count: int, most: int) -> SafeString:
    """Where a bar of this count stands in its drawing, whose highest has `most`."""
    height = max(1, round(HIGH * count / most))
    return format_html('y="{}" width="0.8" height="{}"', HIGH - height, height)


@register.filter
def scaling(queue: str) -> list[str]:
    """The commands that give this queue another worker, by hand, with Compose, on Kubernetes."""
    return [command.format(queue) for command in SCALING]


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of the sprite; the words beside it say what it means."""
    sprite = static("build/icons.svg")
    return format_html('<svg class="icon icon-{0}" aria-hidden="true"><use href="{1}#{0}"/></svg>', name, sprite)


@register.inclusion_tag("processing/parts/state.html")
def state(status: str) -> dict[str, Any]:
    """A state as icon, word and colour."""
    word, name, tone = STATES[status]
    return {"word": word, "icon": name, "tone": tone}


@register.filter
def called(status: str) -> str:
    """What people call a state."""
    return str(STATES[status][0])


@register.filter
def sentence(row: Run | Job) -> str:
    """Why it failed, in the reader's language; empty where nothing did."""
    return sentence_of(row.error_code, row.error_details) if row.error_code else ""


def sentence_of(code: str, details: Mapping[str, Any]) -> str:
    return gettext(sentence_for(code, details)) % {name: shown(value) for name, value in details.items()}


def shown(value: Any) -> Any:
    if isinstance(value, int | float):
        return number_format(value, force_grouping=True)
    return gettext(value) if value in CAUSES else value


@register.filter
def reason(code: str) -> str:
    """An error's code as a few words."""
    return str(REASONS.get(code, code))


@register.filter
def standing(run: Run, lines: Lines) -> Standing:
    """Where the run stands in these lines."""
    return lines.of(run)


@register.inclusion_tag("processing/parts/standing.html")
def place_and_time(standing: Standing) -> dict[str, Any]:
    """Its place in line and about how long it will take, where there are such; kept true by `live.js`."""
    return {"place": standing.position, "seconds": standing.seconds}


@register.filter
def percent(fraction: float) -> int:
    """Whole per cent, rounded down: 100 only when it is done."""
    return int(fraction * 100)


@register.filter
def clock(seconds: float | None) -> str:
    """A medium's length as players show it: 1:04, 1:04:12."""
    whole = round(seconds or 0)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def about(seconds: float | None) -> str:
    """Seconds that are left, as nobody knows them better: about 1:40. `live.js` writes the same."""
    return "" if seconds is None else gettext("about TIME").replace("TIME", clock(estimates.whole(seconds)))


@register.filter
def spell(seconds: float | None) -> str:
    """How long something took or will take, in its largest unit: 0.4 s, 21 s, 3 min, 2 h."""
    if seconds is None:
        return ""
    if seconds < 10:
        return str(UNITS[-1][1] % {"count": number_format(seconds, 1)})
    size, form = next((size, form) for size, form in UNITS if seconds >= size)
    return str(form % {"count": int(seconds // size)})


@register.filter
def age(moment: datetime | None) -> str:
    """How long ago it was, briefly."""
    if moment is None:
        return ""
    seconds = max(0.0, (timezone.now() - moment).total_seconds())
    if seconds < 10:
        return gettext("just now")
    return gettext("%(time)s ago") % {"time": spell(seconds)}
