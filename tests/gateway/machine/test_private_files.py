"""Files with health data: whoever makes them, their service can go on with them."""

from __future__ import annotations

import pytest

from gateway.machine.private_files import MODE, create_private
from tests.open_place import SERVICE, as_root, open_place, service_folder


@as_root
def test_a_new_file_of_root_s_is_that_of_its_folder_s_owner() -> None:
    """As a recording that 'import -o' lays beside the gateway's own: it has to be found when somebody is erased."""
    with open_place() as place:
        path = service_folder(place / "recordings") / "a.rgrec"
        with create_private(path) as file:
            file.write(b"x")
        there = path.stat()
        assert (there.st_uid, there.st_gid, there.st_mode & 0o777) == (SERVICE, SERVICE, MODE)
        with pytest.raises(FileExistsError):
            create_private(path)
