"""A network that learns its k: handwritten digits in PyTorch. The same: train_digits.py."""

import torch
from sklearn.datasets import load_digits
from torch import nn

import s3s4.torch as st

images, labels = load_digits(return_X_y=True)
x, y = torch.tensor(images / 16).float(), torch.tensor(labels)
train, test = slice(0, 1500), slice(1500, None)

# 64 pixels, 32 neurons with a k of their own, 10 digits.
torch.manual_seed(0)
neurons = st.S4(k=5.0, num_parameters=32)
model = nn.Sequential(nn.Linear(64, 32), neurons, nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

for _ in range(200):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[train]), y[train]).backward()
    optimizer.step()

right = (model(x[test]).argmax(1) == y[test]).float().mean()
k = neurons.k
print(f"{right:.0%} of the digits it has not seen, k from {k.min():.1f} to {k.max():.1f}")
