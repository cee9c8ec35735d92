"""A torch MLP of the same shape, rows and epochs as Herkoop's network, on one thread: what training and scoring cost.

python torch_hazard.py ROWS INPUTS HIDDEN,HIDDEN INTERVALS EPOCHS BATCH MEMBERS

Trains one of the members (none with 0 epochs), scores with the mean of all. Random rows: the cost does not depend on what
they say. Prints JSON with seconds, and rows per second of the processor's time and of the clock.
"""
import json
import sys
import time

import torch


def network(widths: list[int]) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for before, after in zip(widths[:-1], widths[1:-1]):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(*widths[-2:]))


def score(models: list[torch.nn.Sequential], x: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(sum(model(x) for model in models) / len(models))


def main(rows: int, inputs: int, hidden: list[int], intervals: int, epochs: int, batch: int, members: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    x = torch.randn(rows, inputs)
    happened = torch.zeros(rows, intervals)
    happened[torch.arange(0, rows, 5), torch.randint(0, intervals, (len(range(0, rows, 5)),))] = 1
    risk = torch.ones(rows, intervals)
    models = [network([inputs, *hidden, intervals]) for _ in range(members)]
    model = models[0]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    started = time.process_time()
    for _ in range(epochs):
        order = torch.randperm(rows)
        for first in range(0, rows, batch):
            chosen = order[first : first + batch]
            logits = model(x[chosen])
            loss = (torch.nn.functional.softplus(logits) * risk[chosen] - logits * happened[chosen]).sum() / len(chosen)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for weight in model.parameters():
                    if weight.dim() == 2:
                        weight.mul_(0.999)
    train_seconds = time.process_time() - started
    with torch.no_grad():
        score(models, x[:1024])
        started, clock = time.process_time(), time.perf_counter()
        for first in range(0, rows, 1024):
            score(models, x[first : first + 1024])
    score_seconds, wall = time.process_time() - started, time.perf_counter() - clock
    print(
        json.dumps(
            {
                "train_seconds": train_seconds,
                "train_rows_per_second": rows * epochs / train_seconds,
                "score": {"rows_per_processor_second": rows / score_seconds, "rows_per_second": rows / wall},
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [int(one) for one in sys.argv[3].split(",")], *map(int, sys.argv[4:8]))
