from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('processing', '0007_outages'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='losses',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='job',
            name='evidence',
            field=models.JSONField(blank=True, default=list),
        ),
    ]
