import numpy as np
import pytest

from models.training import metrics

SQUARE = np.zeros((40, 40), np.float32)
SQUARE[10:30, 10:30] = 1


def test_equal_mattes_have_no_error():
    assert all(measure(SQUARE, SQUARE) == 0 for measure in metrics.MEASURES.values())


def test_mean_errors_by_hand():
    off = SQUARE.copy()
    off[:4] += 0.5
    assert metrics.mad(off, SQUARE) == pytest.approx(0.05)
    assert metrics.mse(off, SQUARE) == pytest.approx(0.025)


def test_grad_sees_a_blurred_edge_and_conn_a_loose_piece():
    blurred = SQUARE.copy()
    blurred[9, 10:30] = 0.5
    assert metrics.grad(blurred, SQUARE) > 0
    loose = SQUARE.copy()
    loose[35:38, 35:38] = 1
    # Nine pixels hang together with nothing: each counts its whole distance, 1.
    assert metrics.conn(loose, SQUARE) == pytest.approx(9 / 1000)


def test_the_edge_error_looks_near_soft_pixels_only():
    soft = SQUARE.copy()
    soft[10, 10:30] = 0.5
    wrong = soft.copy()
    wrong[39, 39] = 1
    assert metrics.edge_error(wrong, soft) == 0
    wrong[8, 15] = 1
    assert metrics.edge_error(wrong, soft) > 0


def literal_grad(alpha, truth, sigma=1.4):
    """Pixel by pixel: first derivatives of Gaussians of unit energy, out to three deviations, borders repeated."""
    reach = int(np.ceil(3 * sigma))
    places = range(-reach, reach + 1)
    kernel = {(y, x): -x * np.exp(-(x * x + y * y) / (2 * sigma**2)) for y in places for x in places}
    norm = np.sqrt(sum(v * v for v in kernel.values()))

    def size(matte, y, x):
        def at(dy, dx):
            return float(matte[np.clip(y + dy, 0, matte.shape[0] - 1), np.clip(x + dx, 0, matte.shape[1] - 1)])

        across = sum(w * at(dy, dx) for (dy, dx), w in kernel.items()) / norm
        down = sum(w * at(dx, dy) for (dy, dx), w in kernel.items()) / norm
        return np.hypot(across, down)

    return sum((size(alpha, y, x) - size(truth, y, x)) ** 2 for y, x in np.ndindex(alpha.shape)) / 1000


def largest_piece(solid):
    """The largest set of pixels that hang together by their sides."""
    left, best = {(int(y), int(x)) for y, x in np.argwhere(solid)}, set()
    while left:
        piece, edge = set(), [left.pop()]
        while edge:
            y, x = edge.pop()
            piece.add((y, x))
            for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if other in left:
                    left.remove(other)
                    edge.append(other)
        best = max(best, piece, key=len)
    return best


def literal_conn(alpha, truth):
    """Threshold by threshold: l is the last one at which a pixel belongs to the piece that both mattes share."""
    pieces = [largest_piece((alpha >= k / 10) & (truth >= k / 10)) for k in range(1, 11)]
    total = 0.0
    for y, x in np.ndindex(alpha.shape):
        kept = 0
        while kept < 10 and (y, x) in pieces[kept]:
            kept += 1
        phi = []
        for matte in (alpha, truth):
            d = float(matte[y, x]) - kept / 10
            phi.append(1 - d if d >= 0.15 else 1.0)
        total += abs(phi[0] - phi[1])
    return total / 1000


@pytest.mark.parametrize("seed", range(2))
def test_grad_and_conn_are_what_their_definitions_say(seed):
    rng = np.random.default_rng(seed)
    truth = np.zeros((20, 22), np.float32)
    truth[5:14, 6:16] = 1
    truth[14:18, 8:11] = rng.random((4, 3))
    alpha = np.clip(truth + rng.normal(0, 0.2, truth.shape), 0, 1).astype(np.float32)
    alpha[2:4, 16:21] = 1
    assert metrics.grad(alpha, truth) == pytest.approx(literal_grad(alpha, truth), rel=1e-4)
    assert metrics.conn(alpha, truth) == pytest.approx(literal_conn(alpha, truth), rel=1e-4)
    assert metrics.conn(alpha, truth) > 0.009


def test_the_gradient_of_a_step_is_that_of_the_gaussian():
    """Along a straight edge the filter sums to a Gaussian; at the edge itself, half a pixel away, it is known."""
    step = np.zeros((40, 40), np.float32)
    step[:, 20:] = 1
    reach = np.arange(-5, 6)
    bell = np.exp(-(reach**2) / (2 * 1.4**2))
    slope = reach / 1.4**2 * bell
    norm = np.sqrt((np.outer(bell, slope) ** 2).sum())
    expected = [abs(slope[reach >= 20 - x].sum()) * bell.sum() / norm for x in range(40)]
    assert metrics.grad(step, np.zeros_like(step)) == pytest.approx(40 * np.square(expected).sum() / 1000, rel=1e-4)


def test_the_temporal_error_sees_flicker_and_no_constant_offset():
    truths = [np.full((4, 4), 0.5, np.float32)] * 3
    assert metrics.dtssd([t + 0.2 for t in truths], truths) == pytest.approx(0, abs=1e-7)
    flicker = [truths[0], truths[1] + 0.3, truths[2]]
    assert metrics.dtssd(flicker, truths) == pytest.approx(0.3)
    assert metrics.dtssd(truths[:1], truths[:1]) == 0


def test_a_masked_error_looks_into_the_mask_only():
    truth = np.random.default_rng(1).random((20, 22, 3), np.float32)
    mask = np.zeros((20, 22), np.float32)
    mask[4:9, 5:15] = 1
    off = truth.copy()
    off[0] = 0
    assert metrics.mae(off, truth, mask) == 0
    off[6, 7] += 0.4
    assert metrics.mae(off, truth, mask) == pytest.approx(0.4 / 50, rel=1e-5)


def test_ssim_is_what_its_definition_says():
    rng = np.random.default_rng(2)
    truth = rng.random((14, 17, 3), np.float32)
    picture = np.clip(truth + rng.normal(0, 0.1, truth.shape), 0, 1).astype(np.float32)
    mask = rng.random((14, 17)) > 0.5
    a, b = (np.pad((p @ np.array([0.2126, 0.7152, 0.0722])), 5, mode="reflect") for p in (picture, truth))
    bell = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(bell, bell) / bell.sum() ** 2
    values = []
    for y, x in np.argwhere(mask):
        pa, pb = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
        ma, mb = (weights * pa).sum(), (weights * pb).sum()
        va, vb = (weights * (pa - ma) ** 2).sum(), (weights * (pb - mb) ** 2).sum()
        both = (weights * (pa - ma) * (pb - mb)).sum()
        values.append((2 * ma * mb + 1e-4) * (2 * both + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)))
    assert metrics.ssim(picture, truth, mask) == pytest.approx(np.mean(values), abs=1e-4)
    assert metrics.ssim(truth, truth, mask) == pytest.approx(1)


def test_iou_by_hand():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert metrics.iou(a, b) == 1
    a[:2], b[1:3] = True, True
    assert metrics.iou(a, b) == pytest.approx(1 / 3)
