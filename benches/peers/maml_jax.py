"""JAX at the cases of `problem`, all of it compiled by `jax.jit`. Engines:

  vmap     the gradient of a task under `jax.vmap` over the tasks
  scan     `lax.scan` over the tasks, the gradient of each added up
  loop     a Python loop over the tasks, the gradient of each added up
  hvp      the same loop, the meta-gradient of a task written by hand: the gradients of the inner steps forward, then
           the query's gradient back through each step by a Hessian-vector product
  devices  as `hvp`, but every core is a device of its own with its own tasks

A Hessian-vector product is the forward derivative of the gradient, with every engine. Norm, pool and softplus are
written so that XLA makes fast code of them and their second derivatives are right."""
import problem

case = problem.arguments(__doc__, ["vmap", "scan", "loop", "hvp", "devices"])
import jax  # noqa: E402
from jax import lax, numpy as jnp  # noqa: E402

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", case.threads if case.engine == "devices" else 1)
NHWC = ("NHWC", "HWIO", "NHWC")


def conv4(arrays, images, labels):
    *blocks, head, bias = arrays
    for weight, scale, shift in zip(*[iter(blocks)] * 3):
        images = lax.conv_general_dilated(images, weight, (1, 1), "SAME", dimension_numbers=NHWC)
        images = pool(jax.nn.relu(norm(images, scale, shift)))
    logits = images.reshape(len(labels), -1) @ head + bias
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def norm(images, scale, shift):
    mean = images.mean((0, 1, 2))
    factor = scale * lax.rsqrt(jnp.square(images - mean).mean((0, 1, 2)) + 1e-5)
    return images * factor + (shift - mean * factor)


def pool(images):
    count, height, width, channels = images.shape
    high, wide = height // 2, width // 2
    cells = images[:, : 2 * high, : 2 * wide].reshape(count, high, 2, wide, 2, channels)
    rows = jnp.maximum(cells[:, :, 0], cells[:, :, 1])
    return jnp.maximum(rows[:, :, :, 0], rows[:, :, :, 1])


@jax.custom_jvp
def softplus(x):
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


softplus.defjvps(lambda tangent, _, x: tangent * jax.nn.sigmoid(x))


def two_layer(arrays, x, y):
    return jnp.square(softplus(x @ arrays[0]).sum(1) - y).mean() / 2


def linear(arrays, x, y):
    return jnp.square(x @ arrays[0] - y).mean() / 2


loss = {"conv4": conv4, "two_layer": two_layer, "linear": linear}[case.model]
slope = jax.grad(loss)


def step(arrays, gradient):
    return [a - case.alpha * g for a, g in zip(arrays, gradient)]


def adapted_loss(arrays, x_support, y_support, x_query, y_query):
    adapted = arrays
    for _ in range(case.inner):
        gradient = slope(adapted, x_support, y_support)
        adapted = step(adapted, gradient if case.job == "maml" else lax.stop_gradient(gradient))
    return loss(adapted, x_query, y_query)


def by_hand(arrays, x_support, y_support, x_query, y_query):
    adapted, products = arrays, []
    for _ in range(case.inner):
        gradient, product = jax.linearize(lambda arrays: slope(arrays, x_support, y_support), adapted)
        adapted = step(adapted, gradient)
        products.append(product)
    outer, gradient = jax.value_and_grad(loss)(adapted, x_query, y_query)
    for product in reversed(products) if case.job == "maml" else ():
        gradient = step(gradient, product(gradient))
    return outer, gradient


one_task = by_hand if case.engine in ("hvp", "devices") else jax.value_and_grad(adapted_loss)


def add_task(sums, arrays, *task):
    return jax.tree.map(lambda total, new: total + new / case.tasks, sums, one_task(arrays, *task))


def nothing(arrays):
    return jax.tree.map(jnp.zeros_like, (jnp.float32(0), arrays))


def all_at_once(arrays, *stacked):
    each = jax.vmap(one_task, in_axes=(None, 0, 0, 0, 0))(arrays, *stacked)
    return jax.tree.map(lambda values: values.mean(0), each)


def scanned(arrays, *stacked):
    return lax.scan(lambda sums, task: (add_task(sums, arrays, *task), None), nothing(arrays), stacked)[0]


def add(these, those):
    return jax.tree.map(jnp.add, these, those)


def looped(arrays, tasks):
    """The tasks are dealt to the devices, of which there is more than one only with the engine `devices`."""
    devices = jax.devices()
    copies = [jax.device_put(arrays, device) for device in devices]
    tasks = [jax.device_put(task, devices[t % len(devices)]) for t, task in enumerate(tasks)]
    start, go_on, join = jax.jit(nothing), jax.jit(add_task, donate_argnums=0), jax.jit(add)

    def call():
        sums = [start(copy) for copy in copies]
        for t, task in enumerate(tasks):
            k = t % len(devices)
            sums[k] = go_on(sums[k], copies[k], *task)
        total, *others = sums
        for other in others:
            total = join(total, jax.device_put(other, devices[0]))
        return total

    return call


def product(arrays, vector, x, y):
    (value, gradient), (_, along) = jax.jvp(lambda a: jax.value_and_grad(loss)(a, x, y), (arrays,), (vector,))
    return value, along, gradient


def build():
    arrays, tasks = problem.parameters(case), problem.tasks(case)
    if case.job in ("maml", "fomaml") and case.engine in ("loop", "hvp", "devices"):
        return looped(arrays, tasks)
    if case.job == "gradient":
        function, values = jax.value_and_grad(loss), (arrays, *tasks[0][:2])
    elif case.job == "hvp":
        function, values = product, (arrays, problem.direction(case), *tasks[0][:2])
    else:
        function = all_at_once if case.engine == "vmap" else scanned
        values = (arrays, *map(jnp.stack, zip(*tasks)))
    function, values = jax.jit(function), jax.device_put(values)
    return lambda: function(*values)


call = build()
problem.answer(case, f"JAX {jax.__version__}", lambda: jax.block_until_ready(call())[:2])
