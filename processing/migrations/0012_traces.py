from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('processing', '0011_mailbox'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='traces',
            field=models.JSONField(null=True),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('finished_at__isnull', False)), fields=['finished_at'], name='job_ended'),
        ),
    ]
