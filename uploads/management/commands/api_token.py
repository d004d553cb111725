"""`manage.py api_token USER`: a token for programs, alone on stdout."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError

from processing.commands import QuickCommand
from uploads.models import ApiToken

ROLES = ("uploader", "editor", "ops")


class Command(QuickCommand):
    help = "Print a new token for USER, and nothing else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user")
        parser.add_argument("--create", action="store_true", help="make the user if there is none")
        parser.add_argument("--role", choices=ROLES, help="give the user this role as well")

    def handle(self, *args: Any, **options: Any) -> None:
        user = found_or_created(options["user"], options["create"])
        if options["role"]:
            user.groups.add(Group.objects.get(name=options["role"]))
        self.stdout.write(ApiToken.issue(user))


def found_or_created(name: str, create: bool) -> Any:
    users = get_user_model()
    user = users.objects.filter(username=name).first()
    if user:
        return user
    if not create:
        raise CommandError(f"There is no user {name!r}. Add --create to make one.")
    email = name if "@" in name else f"{name}@localhost"
    return users.objects.create_user(name, email, secrets.token_urlsafe(24))
