from django.conf import settings
from django.db import migrations, models
from django.utils.timezone import now


def as_received(apps, schema_editor):
    """What is there already stays where it is: only its engine could say when it was taken."""
    apps.get_model("uploads", "Original").objects.update(taken_at=models.F("created_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("uploads", "0004_share"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("original", "taken_at", models.DateTimeField(default=now)),
        migrations.RunPython(as_received, migrations.RunPython.noop),
        migrations.AddIndex("original", models.Index(fields=["owner", "-taken_at", "-id"], name="original_by_taking")),
        migrations.AddIndex(
            "original", models.Index(fields=["owner", "kind", "-taken_at", "-id"], name="original_by_kind")
        ),
    ]
