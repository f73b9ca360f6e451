"""A convolution of PyTorch (oneDNN) that answers questions, one a line:

  output|input|weights  plain|last  images  channels in  channels out  side  repeats

for kernels of 3 x 3, stride 1, padding 1, in the plain layout (NCHW) or with channels last (NHWC). The answer is
the seconds that all repeats took. One thread unless another number is given as argument."""
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
LAYOUTS = {"plain": torch.contiguous_format, "last": torch.channels_last}
functions = {}


def work(slot, layout, images, c_in, c_out, side):
    shapes = [(images, c_in, side, side), (c_out, c_in, 3, 3), (images, c_out, side, side)]
    x, w, dy = (torch.rand(s).sub_(0.5).contiguous(memory_format=LAYOUTS[layout]) for s in shapes)
    if slot == "output":
        return lambda: torch.nn.functional.conv2d(x, w, padding=1)
    mask = [slot == "input", slot == "weights", False]
    back = torch.ops.aten.convolution_backward
    return lambda: back(dy, x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)


def seconds(function, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return time.perf_counter() - start


print(f"PyTorch {torch.__version__}", flush=True)
with torch.no_grad():
    for line in sys.stdin:
        slot, layout, *numbers = line.split()
        *sizes, repeats = map(int, numbers)
        case = (slot, layout, *sizes)
        if case not in functions:
            # Two layouts are asked in turns; what came before them is over.
            if len(functions) == 2:
                functions.clear()
            functions[case] = work(*case)
        print(seconds(functions[case], repeats), flush=True)
