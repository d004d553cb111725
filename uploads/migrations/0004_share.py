"""Links by which anybody may see an original."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import uploads.models


class Migration(migrations.Migration):
    dependencies = [
        ("uploads", "0003_upload"),
    ]

    operations = [
        migrations.CreateModel(
            name="Share",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("token", models.CharField(default=uploads.models.new_share_token, max_length=32, unique=True)),
                ("password", models.CharField(blank=True, max_length=128)),
                ("downloads", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "original",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="shares", to="uploads.original"
                    ),
                ),
            ],
        ),
    ]
