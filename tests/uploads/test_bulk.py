"""What is done to many originals at once: asked first, and to nobody else's."""

import html
import re

import pytest
from django.contrib.auth.models import Permission

from tests.uploads.test_pages import a_ready_picture, an_original
from uploads import bulk
from uploads.models import Original

pytestmark = pytest.mark.django_db
MINE, RUNS = "/selected/delete", "/status/selected/delete"


@pytest.fixture
def alice(alice, client):
    """Alice, signed in."""
    client.force_login(alice)
    return alice


def ask(client, url, **data):
    response = client.post(url, data)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def sure(client, url, **data):
    """Answer the question that this asks with yes; the page after it."""
    page = ask(client, url, **data)
    form = html.unescape(re.search(r'<form class="actions".*?</form>', page, re.DOTALL)[0])
    fields = re.findall(r'name="(sure|ids|run|scope)" value="([^"]*)"', form)
    data = {name: [value for key, value in fields if key == name] for name, _ in fields}
    return client.post(re.search(r'action="([^"]+)"', form)[1], data, follow=True).content.decode()


def test_delete__asks_first_and_says_what_goes(client, alice):
    ids = [a_ready_picture(alice, name=f"{n}.jpg").pk for n in range(2)]
    page = ask(client, MINE, ids=ids)
    assert "Delete 2 originals?" in page
    assert "cannot be brought back" in page
    assert Original.objects.count() == 2


def test_delete__what_was_ticked(client, alice):
    ids = [a_ready_picture(alice, name=f"{n}.jpg").pk for n in range(3)]
    assert "2 originals are deleted." in sure(client, MINE, ids=ids[:2])
    assert list(Original.objects.values_list("pk", flat=True)) == ids[2:]


def test_delete__all_that_match(client, alice):
    for name in ("lake.jpg", "lake 2.jpg", "ridge.jpg"):
        an_original(alice, name)
    sure(client, f"{MINE}?q=lake", scope="all")
    assert Original.objects.get().name == "ridge.jpg"


def test_delete__what_arrives_after_the_question_stays(client, alice):
    an_original(alice, "old.jpg")
    page = ask(client, MINE, scope="all")
    an_original(alice, "new.jpg")
    client.post(MINE, {"scope": "all", "sure": re.search(r'name="sure" value="([^"]+)"', page)[1]})
    assert Original.objects.get().name == "new.jpg"


def test_delete__never_what_is_anothers(client, alice, bob):
    theirs = an_original(bob)
    assert "Nothing is selected" in ask(client, MINE, ids=[theirs.pk, "nonsense"])
    client.post(MINE, {"ids": theirs.pk, "sure": "2099-01-01T00:00:00Z"})
    client.post(MINE, {"scope": "all", "sure": "2099-01-01T00:00:00Z"})
    assert Original.objects.filter(pk=theirs.pk).exists()


def test_delete__says_how_many_are_left_to_do(client, alice, monkeypatch):
    monkeypatch.setattr(bulk, "BULK", 2)
    for number in range(3):
        an_original(alice, f"{number}.jpg")
    assert "3 match; the last 2 to arrive go now." in ask(client, MINE, scope="all")
    sure(client, MINE, scope="all")
    assert Original.objects.get().name == "0.jpg"


def test_delete__script_gets_the_dialog_alone(client, alice):
    page = client.post(MINE, {"ids": an_original(alice).pk}, headers={"HX-Request": "true"}).content.decode()
    assert page.lstrip().startswith('<h2 id="sure-title">Delete 1 original?')


def test_delete__from_the_desk_needs_leave_to_mend(client, alice, bob):
    theirs = an_original(bob)
    alice.user_permissions.add(Permission.objects.get(codename="see_all_runs"))
    assert client.post(RUNS, {"run": theirs.pk}).status_code == 403
    alice.user_permissions.add(Permission.objects.get(codename="mend_runs"))
    an_original(alice, "mine.jpg")
    assert "1 original is deleted." in sure(client, f"{RUNS}?owner=bob", scope="all")
    assert Original.objects.get().name == "mine.jpg"


def test_delete__not_by_a_link_and_not_by_strangers(client, bob):
    assert client.get(MINE).status_code == 405
    assert client.post(MINE, {"scope": "all"}).url.startswith("/accounts/login/")


def test_delete__thousands_of_ticks(client, alice):
    original = an_original(alice)
    assert "Delete 1 original?" in ask(client, MINE, ids=[original.pk, *range(3000)])


def test_delete__what_somebody_else_has_deleted_meanwhile(client, alice, monkeypatch):
    first, second = an_original(alice, "first.jpg"), an_original(alice, "second.jpg")
    forget = bulk.keeping.forget

    def late(original):
        Original.objects.filter(pk=first.pk).delete()
        forget(original)

    monkeypatch.setattr(bulk.keeping, "forget", late)
    sure(client, MINE, ids=[first.pk, second.pk])
    assert not Original.objects.exists()
