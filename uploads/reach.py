"""Which originals a request may speak of."""

from uuid import UUID

from django.http import Http404, HttpRequest

from uploads import listing
from uploads.models import Original
from uploads.representation import originals


def visible(request: HttpRequest, original_id: UUID) -> Original:
    """The original, if this user may see it. Another owner's does not exist."""
    found = listing.visible_to(request.user, originals()).filter(pk=original_id).first()
    if found is None:
        raise Http404
    return found


def mendable(request: HttpRequest, original_id: UUID) -> Original:
    """The original, if this user may change what becomes of it."""
    original = visible(request, original_id)
    if original.owner_id != request.user.pk and not request.user.has_perm("processing.mend_runs"):
        raise Http404
    return original
