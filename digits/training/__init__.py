"""Training, from a section of params.yaml to a saved model; the only room that imports torch.

`train_model` is the whole stage: it fits a network, saves it in both forms and logs its run.
`training_loop` knows arrays and parameters alone, so a search can use it, too; networks,
augmentation, optimizer and device are below it. `recipe_report` trains and scores every recipe.

Scores and calibration are in `evaluation`, the use of a saved model without torch in `inference`.
"""
