import subprocess
import sys

from manyshot.studies.jobs import alone


def test_a_run_folder_is_held_by_one_process_at_a_time(tmp_path):
    # another process, without the seconds that importing the library takes
    code = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    ask = [sys.executable, "-c", code, str(tmp_path / ".run.lock")]
    with alone(tmp_path / "run"):
        assert subprocess.run(ask, capture_output=True, check=False).returncode != 0
    assert subprocess.run(ask, capture_output=True, check=False).returncode == 0
