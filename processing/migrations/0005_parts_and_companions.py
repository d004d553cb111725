from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('processing', '0004_estimates'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='plan',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='job',
            name='pieces',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='rendition',
            name='name',
            field=models.CharField(blank=True, db_default='', max_length=40),
        ),
        migrations.RemoveConstraint(
            model_name='rendition',
            name='one_rendition_per_preset',
        ),
        migrations.AddConstraint(
            model_name='rendition',
            constraint=models.UniqueConstraint(fields=('original', 'preset', 'name'), name='one_rendition_per_file'),
        ),
    ]
