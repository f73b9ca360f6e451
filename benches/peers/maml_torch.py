"""PyTorch at the cases of `problem`. Engines:

  loop     one task after the other, `torch.autograd.grad` with `create_graph`
  plain    as `loop`, but images and weights lie in memory as NCHW, not in the format channels_last
  threads  as `loop`, but with as many Python threads as cores, each on its own tasks and one core
  vmap     `torch.func`: the gradient of a task under `vmap` over the tasks

A Hessian-vector product is a second backward pass through the gradient, with `vmap` the forward derivative of it."""
from concurrent.futures import ThreadPoolExecutor

import problem

case = problem.arguments(__doc__, ["loop", "plain", "threads", "vmap"])
import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(1 if case.engine == "threads" else case.threads)


def conv4(arrays, images, labels, twice=False):
    """`twice` tells that second derivatives are wanted."""
    *blocks, head, bias = arrays
    norm = norm_by_hand if twice else norm_built_in
    for weight, scale, shift in zip(*[iter(blocks)] * 3):
        images = norm(F.conv2d(images, weight, padding=1), scale, shift)
        # ReLU after pooling gives the same as before and has a quarter of the numbers to do.
        images = F.relu(F.max_pool2d(images, 2))
    return F.cross_entropy(F.linear(images.flatten(1), head, bias), labels)


def norm_built_in(images, scale, shift):
    return F.batch_norm(images, None, None, scale, shift, training=True, eps=1e-5)


def norm_by_hand(images, scale, shift):
    """Twice differentiated this is faster than `batch_norm`, whose second derivatives under `vmap` are wrong."""
    variance, mean = torch.var_mean(images, (0, 2, 3), correction=0, keepdim=True)
    factor = torch.rsqrt(variance + 1e-5) * scale[:, None, None]
    return torch.addcmul(shift[:, None, None] - mean * factor, images, factor)


def two_layer(arrays, x, y, twice=False):
    return (F.softplus(x @ arrays[0]).sum(1) - y).square().mean() / 2


def linear(arrays, x, y, twice=False):
    return (x @ arrays[0] - y).square().mean() / 2


loss = {"conv4": conv4, "two_layer": two_layer, "linear": linear}[case.model]


def weights(arrays):
    """Convolutions as OIHW, the head as [ways, features] with the features in the order of NCHW."""
    arrays = [torch.from_numpy(array) for array in arrays]
    if case.model == "conv4":
        left = case.side >> 4
        arrays[-2] = arrays[-2].reshape(left, left, case.filters, case.ways).permute(3, 2, 0, 1).flatten(1).contiguous()
        arrays = [arranged(array, (3, 2, 0, 1)) if array.ndim == 4 else array for array in arrays]
    return arrays


def examples(inputs, targets):
    inputs, targets = torch.from_numpy(inputs), torch.from_numpy(targets)
    return (arranged(inputs, (0, 3, 1, 2)), targets.long()) if case.model == "conv4" else (inputs, targets)


def arranged(array, order):
    layout = torch.contiguous_format if case.engine == "plain" else torch.channels_last
    # `contiguous` would leave one channel as it lies, which counts as both, and PyTorch goes by the strides.
    return array.permute(order).clone(memory_format=layout)


def step(arrays, gradient):
    return [torch.sub(a, g, alpha=case.alpha) for a, g in zip(arrays, gradient)]


def one_task(arrays, x_support, y_support, x_query, y_query):
    exact, adapted = case.job == "maml", arrays
    for _ in range(case.inner):
        inner = loss(adapted, x_support, y_support, twice=exact)
        adapted = step(adapted, torch.autograd.grad(inner, adapted, create_graph=exact))
    outer = loss(adapted, x_query, y_query)
    return outer.detach(), torch.autograd.grad(outer, arrays)


def over_tasks(arrays, tasks, each):
    losses, gradients = zip(*each(lambda task: one_task(arrays, *task), tasks))
    return torch.stack(losses).mean(), [torch.stack(parts).mean(0) for parts in zip(*gradients)]


def adapted_loss(arrays, x_support, y_support, x_query, y_query):
    exact, adapted = case.job == "maml", arrays
    for _ in range(case.inner):
        gradient = torch.func.grad(loss)(adapted, x_support, y_support, exact)
        adapted = step(adapted, gradient if exact else [g.detach() for g in gradient])
    return loss(adapted, x_query, y_query)


def all_at_once(arrays, *stacked):
    every = torch.func.vmap(torch.func.grad_and_value(adapted_loss), in_dims=(None, 0, 0, 0, 0))
    gradients, losses = every(arrays, *stacked)
    return losses.mean(), [gradient.mean(0) for gradient in gradients]


def gradient(arrays, x, y):
    value = loss(arrays, x, y)
    return value.detach(), torch.autograd.grad(value, arrays)


def product_backward(arrays, vector, x, y):
    value = loss(arrays, x, y, twice=True)
    slope = torch.autograd.grad(value, arrays, create_graph=True)
    return value.detach(), torch.autograd.grad(slope, arrays, vector)


def product_forward(arrays, vector, x, y):
    slope = torch.func.grad_and_value(lambda arrays: loss(arrays, x, y))
    (_, value), (product, _) = torch.func.jvp(slope, (arrays,), (vector,))
    return value, product


def build():
    arrays = weights(problem.parameters(case))
    tasks = [(*examples(*task[:2]), *examples(*task[2:])) for task in problem.tasks(case)]
    support = tasks[0][:2]
    if case.engine == "vmap" and case.job == "hvp":
        return product_forward, arrays, weights(problem.direction(case)), *support
    if case.engine == "vmap" and case.job != "gradient":
        return all_at_once, arrays, *map(torch.stack, zip(*tasks))
    for array in arrays:
        array.requires_grad_()
    if case.job == "gradient":
        return gradient, arrays, *support
    if case.job == "hvp":
        return product_backward, arrays, weights(problem.direction(case)), *support
    return over_tasks, arrays, tasks, ThreadPoolExecutor(case.threads).map if case.engine == "threads" else map


function, *values = build()
version = torch.__version__.partition("+")[0]
problem.answer(case, f"PyTorch {version}", lambda: function(*values))
