from django.db import migrations, models

# Whether this database has the extension, or lets us make it.
MAY = """
SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'
UNION ALL
SELECT 1 FROM pg_available_extension_versions WHERE name = 'pg_trgm' AND (
    trusted AND has_database_privilege(current_database(), 'CREATE')
    OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
)"""
HOME = """
SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
WHERE extname = 'pg_trgm'"""
INDEX = "CREATE INDEX original_by_part_of_name ON uploads_original USING gin (UPPER(name) {}.gin_trgm_ops)"


def index_names(apps, schema_editor):
    """PostgreSQL finds any part of a name by its trigrams. Without the extension it reads all names: slower, no less."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(MAY)
        if cursor.fetchone() is None:
            return
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        cursor.execute(HOME)
        (home,) = cursor.fetchone()
        cursor.execute(INDEX.format(home))


def forget(apps, schema_editor):
    """The extension stays: others may use it."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS original_by_part_of_name")


class Migration(migrations.Migration):
    dependencies = [("uploads", "0006_webhooks_and_keys")]

    operations = [
        migrations.RemoveIndex("original", "original_by_taking"),
        migrations.RemoveIndex("original", "original_by_kind"),
        migrations.AddIndex(
            "original", models.Index(fields=["owner", "-taken_at", "-id", "name"], name="original_by_taking")
        ),
        migrations.AddIndex(
            "original", models.Index(fields=["owner", "kind", "-taken_at", "-id", "name"], name="original_by_kind")
        ),
        migrations.RunPython(index_names, forget),
    ]
