from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('processing', '0005_parts_and_companions'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='outages',
            field=models.PositiveSmallIntegerField(default=0),
        ),
    ]
