"""A network that learns its k: handwritten digits, NumPy alone. The same: train_digits_torch.py."""

import numpy as np
from sklearn.datasets import load_digits

import s3s4

images, labels = load_digits(return_X_y=True)
x, y = images / 16, np.eye(10)[labels]
train, test = slice(0, 1500), slice(1500, None)

# 64 pixels, 32 neurons with a k of their own, 10 digits.
rng = np.random.default_rng(0)
W1, b1 = rng.normal(0, 64**-0.5, (64, 32)), np.zeros(32)
W2, b2 = rng.normal(0, 32**-0.5, (32, 10)), np.zeros(10)
k = np.full(32, 5.0)
parameters = [W1, b1, k, W2, b2]
means, squares = ([np.zeros_like(p) for p in parameters] for _ in range(2))

for step in range(1, 201):
    # Forward: what neurons take, what they give, and the probability of each digit.
    z = x[train] @ W1 + b1
    h = s3s4.s4(z, k)
    p = s3s4.softmax(h @ W2 + b2)

    # Backward: the gradient of the mean cross-entropy, from the last layer to the first.
    g = (p - y[train]) / len(p)
    grad_W2, grad_b2 = h.T @ g, g.sum(0)
    grad_z, grad_k = s3s4.s4.backward(g @ W2.T, z, k)
    grad_W1, grad_b1 = x[train].T @ grad_z, grad_z.sum(0)
    gradients = [grad_W1, grad_b1, grad_k, grad_W2, grad_b2]

    # Adam: steps of about 0.02, whatever the size of the gradient.
    for parameter, gradient, mean, square in zip(
        parameters, gradients, means, squares, strict=True
    ):
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient**2 - square)
        scale = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        parameter -= 0.02 * mean / (1 - 0.9**step) / scale

found = (s3s4.s4(x[test] @ W1 + b1, k) @ W2 + b2).argmax(1)
right = (found == labels[test]).mean()
print(f"{right:.0%} of the digits it has not seen, k from {k.min():.1f} to {k.max():.1f}")
