"""The three roles, as groups with permissions, so that the admin can change who may do what."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

ROLES = {
    "uploader": (),
    "editor": ("see_all_runs", "mend_runs", "see_queues"),
    "ops": ("see_queues",),
}


def make_roles(apps, schema_editor):
    # Permissions are made after all migrations; ours are needed now. create_permissions wants an
    # application that knows its models, which a historical one does not say of itself.
    application = apps.get_app_config("processing")
    application.models_module = True
    create_permissions(application, apps=apps, verbosity=0)
    application.models_module = None
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for role, codenames in ROLES.items():
        group, _ = Group.objects.get_or_create(name=role)
        permissions = Permission.objects.filter(content_type__app_label="processing", codename__in=codenames)
        group.permissions.set(permissions)


class Migration(migrations.Migration):
    dependencies = [
        ("processing", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
