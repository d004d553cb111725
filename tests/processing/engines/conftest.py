import pytest


@pytest.fixture
def save(tmp_path):
    """Write an image, or bytes, to a file and give back its path."""

    def save(picture, image_format="PNG", **options):
        path = tmp_path / "source"
        if isinstance(picture, bytes):
            path.write_bytes(picture)
        else:
            picture.save(path, image_format, **options)
        return path

    return save
