"""GCN and GAT on Cora: one training with its paper's recipe, at the width that is asked for."""

from __future__ import annotations

from dataclasses import replace

from erlangen.data.planetoid import cora
from erlangen.experiments.cora_accuracy.tasks import Train
from erlangen.experiments.kit.tasks import perform
from erlangen.models.graph_network import GraphNetwork, GraphNetworkConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import NodeSchedule, accuracy, evaluate, fit
from erlangen.train.seeds import seed_everything

WORDS, CLASSES = 1433, 7

NETS = {
    "gcn": GraphNetworkConfig(layer="gcn", in_features=WORDS, classes=CLASSES, width=16, heads=1, dropout=0.5, activation="relu"),
    "gat": GraphNetworkConfig(
        layer="gat", in_features=WORDS, classes=CLASSES, width=64, heads=8, dropout=0.6, attention_dropout=0.6
    ),
}
SCHEDULES = {
    "gcn": NodeSchedule(epochs=200, patience=200, lr=0.01, weight_decay=5e-4, decay="first"),
    "gat": NodeSchedule(epochs=1000, patience=100, lr=0.005, weight_decay=5e-4),
}


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Train: train})


def train(task: Train, job: Job) -> list[Measurement]:
    """Accuracies of one net, in percent, and its parameters."""
    graph = cora()
    seed_everything(job.seed)
    net = GraphNetwork(replace(NETS[task.net], width=task.width))
    history = fit(net, graph, SCHEDULES[task.net])
    return [
        Measurement("best_epoch", history.best_epoch, "epochs"),
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(evaluate(net, graph), graph), "%"),
        Measurement("parameters", sum(parameter.numel() for parameter in net.parameters()), "numbers"),
    ]
