import csv
from pathlib import Path

import pytest

from Orchestrators.Training.TrainingRecord import MetricsTable

FILE = Path('metrics.csv')


def read() -> list[dict[str, str]]:
    with FILE.open(newline='') as file:
        return list(csv.DictReader(file))


def test_each_epoch_is_a_row_and_what_it_lacks_an_empty_cell() -> None:
    table = MetricsTable(FILE)
    table.record(1, 12, {'train/loss': 0.5})
    table.record(2, 24, {'train/loss': 1e-7, 'validation/PSNR_x2': float('inf')})
    table.record(3, 36, {'train/loss': float('nan')})
    assert FILE.read_text() == (
        'epoch,samples_seen,train/loss,validation/PSNR_x2\n1,12,0.5,\n2,24,1e-07,inf\n3,36,nan,\n'
    )


def test_a_restarted_run_goes_on_in_the_same_table() -> None:
    numbers = {'train/loss': 1 / 3, 'train/learning_rate': 4e-4}
    MetricsTable(FILE).record(1, 12, numbers)
    again = MetricsTable(FILE)
    assert again.rows == [{'epoch': 1, 'samples_seen': 12, **numbers}]
    again.record(2, 24, numbers)
    assert [row['epoch'] for row in read()] == ['1', '2']
    assert float(read()[0]['train/loss']) == 1 / 3


def test_an_epoch_gone_through_again_replaces_its_row_and_those_behind_it() -> None:
    table = MetricsTable(FILE)
    for epoch in (1, 2, 3, 4):
        table.record(epoch, 12 * epoch, {'train/loss': 1.0, 'only_before': 1.0})
    MetricsTable(FILE).record(3, 36, {'train/loss': 2.0})
    assert [(row['epoch'], row['train/loss'], row['only_before']) for row in read()] == [
        ('1', '1.0', '1.0'),
        ('2', '1.0', '1.0'),
        ('3', '2.0', ''),
    ]


def test_a_crash_while_writing_leaves_the_table_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    table = MetricsTable(FILE)
    table.record(1, 12, {'train/loss': 0.5})
    before = FILE.read_bytes()

    def fail(*_: object) -> None:
        raise OSError('no space left')

    monkeypatch.setattr('Utilities.files.os.replace', fail)
    with pytest.raises(OSError, match='no space left'):
        table.record(2, 24, {'train/loss': 0.4})
    assert FILE.read_bytes() == before
    assert list(Path().iterdir()) == [FILE]


@pytest.mark.parametrize(
    'content',
    [b'name,score\nA,1\n', b'epoch;samples_seen\n1;12\n', b'epoch,samples_seen\n1,12,3\n', bytes(50), b'epoch\nx\n'],
)
def test_another_table_of_that_name_is_refused_and_left_alone(content: bytes) -> None:
    FILE.write_bytes(content)
    with pytest.raises(ValueError, match=r'metrics\.csv is not the table that this run writes: .*Move it away'):
        MetricsTable(FILE)
    assert FILE.read_bytes() == content
