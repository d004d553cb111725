from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('processing', '0006_memory'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='outages',
            field=models.PositiveSmallIntegerField(default=0),
        ),
    ]
