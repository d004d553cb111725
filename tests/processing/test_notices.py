"""Mails to owners: one for each outcome, gathered, in their language, with a way out that needs no password."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils.timezone import now

from processing import mailing, notices
from processing.models import Mailbox, Notice, Run, RunStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended(upload: Any) -> Any:
    """An upload that has ended, and whose notice is due."""

    def end(status: RunStatus = RunStatus.READY, **options: Any) -> Run:
        run: Run = upload(**options).run
        if status == RunStatus.FAILED:
            run.error_code, run.error_details = "corrupt", {"reason": "truncated"}
        run.status = status
        run.save()
        notices.owe(run, status)
        Notice.objects.update(owed_at=now() - timedelta(minutes=2))
        return run

    return end


def the_mail() -> Any:
    """What was sent; it must be one mail in both forms."""
    assert notices.send_owed() == 1
    (message,) = mail.outbox
    ((page, kind),) = message.alternatives
    assert kind == "text/html"
    return message, str(page)


def test_mail__names_what_is_ready_and_what_has_failed_with_why_in_text_and_html(ended):
    ready, failed = ended(name="<b>beach.jpg"), ended(RunStatus.FAILED, name="torn.jpg")
    message, page = the_mail()
    assert message.subject == "mediaweb: 1 ready, 1 failed"
    assert message.to == ["alice@example.org"]
    for run in (ready, failed):
        link = f"/originals/{run.original_id}"
        assert link in message.body
        assert link in page
    assert "damaged" in message.body
    assert "damaged" in page
    assert "<b>beach.jpg" in message.body
    assert "&lt;b&gt;beach.jpg" in page


@pytest.mark.parametrize("language", ["en", "es"])
def test_mail__is_in_the_owners_language_whoever_sends_it(ended, alice, language):
    mailing.change(alice, language=language)
    ended(RunStatus.FAILED)
    message, page = the_mail()
    hello = {"en": "Hello alice", "es": "Hola, alice"}[language]
    assert hello in message.body
    assert hello in page
    assert f'lang="{language}"' in page
    assert ("dañado" in page) == (language == "es")


def test_mail__of_a_whole_holiday_names_some_and_counts_the_others(ended, monkeypatch):
    monkeypatch.setattr(notices, "MOST", 2)
    for number in range(5):
        ended(name=f"{number}.jpg")
    message, page = the_mail()
    assert message.subject == "mediaweb: 5 uploads are ready"
    for text in (message.body, page):
        assert len(set(re.findall(r"\d\.jpg", text))) == 2
        assert "and 3 more" in text


def test_mail__can_be_stopped_by_one_click_in_the_mail_program(ended, alice):
    ended()
    message, page = the_mail()
    headers = message.extra_headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    way_out = headers["List-Unsubscribe"].strip("<>")
    assert way_out in message.body
    assert way_out in page
    stranger = Client(enforce_csrf_checks=True)
    answer = stranger.post("/" + way_out.split("/", 3)[3], {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert not Mailbox.objects.get(user=alice).is_wanted
    ended()
    assert notices.send_owed() == 0
    assert len(mail.outbox) == 1
    assert not Notice.objects.filter(sent_at=None).exists(), "nor is it owed for ever"


def test_way_out__opened_by_a_filter_changes_nothing_and_shows_the_button(client, alice):
    page = client.get("/" + mailing.way_out(alice).split("/", 3)[3])
    assert (page.status_code, b"<form method" in page.content) == (200, True)
    assert mailing.mailbox_of(alice).is_wanted


def test_way_out__of_others_or_made_up_leads_nowhere(client, alice, bob):
    token = mailing.way_out(alice).rsplit("/", 1)[1]
    for wrong in ("nonsense", token[:-1], f"{bob.pk}:{token.split(':', 1)[1]}"):
        assert client.post(f"/mails/stop/{wrong}").status_code == 404
    assert not Mailbox.objects.exists()


def test_owner__without_an_address_is_owed_nothing_for_ever(ended, alice):
    alice.email = ""
    alice.save()
    ended()
    assert notices.send_owed() == 0
    assert not mail.outbox
    assert not Notice.objects.filter(sent_at=None).exists()


def test_language__chosen_on_a_page_is_that_of_the_mails(client, alice):
    client.force_login(alice)
    client.post("/i18n/setlang/", {"language": "es"})
    assert mailing.mailbox_of(alice).language == "es"
    client.post("/i18n/setlang/", {"language": "nonsense"})
    assert mailing.mailbox_of(alice).language == "es"


def test_language__of_who_signs_in_for_the_first_time_is_kept_until_they_choose(client, alice):
    for header, expected in (("es-MX,es", "es"), ("en", "es")):
        credentials = {"login": "alice", "password": "alice's password"}
        client.post("/accounts/login/", credentials, headers={"Accept-Language": header})
        assert mailing.mailbox_of(alice).language == expected
        client.post("/accounts/logout/")


def test_settings__are_kept_and_shown(client, alice):
    client.force_login(alice)
    assert b"alice@example.org" in client.get("/account/").content
    client.post("/account/", {"language": "es"})
    mailbox = Mailbox.objects.get(user=alice)
    assert (mailbox.language, mailbox.is_wanted) == ("es", False)
    client.post("/account/", {"language": "nonsense", "mails": "1"})
    mailbox.refresh_from_db()
    assert (mailbox.language, mailbox.is_wanted) == ("es", True)


def test_settings__are_for_who_is_signed_in(client):
    assert client.get("/account/").status_code == 302
