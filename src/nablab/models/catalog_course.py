"""The networks of the course documents, and four of ours that stand beside them."""

from __future__ import annotations

from nablab.models.catalog_entry import CatalogEntry

COURSE = (
    CatalogEntry(
        "net_linear",
        "K",
        "one linear layer",
        "Softmax regression on raw pixels: what a network has to beat.",
    ),
    CatalogEntry(
        "mlp",
        "100-ReLU-K",
        "one hidden layer of 100",
        "The 784-100-10 network, which is also what mlp_classifier fits with scikit-learn.",
    ),
    CatalogEntry(
        "lenet5",
        "6C5-ReLU-MaxPool2-16C5p0-ReLU-MaxPool2-120-ReLU-84-ReLU-K",
        "LeNet-5 with 6-16-120-84 units",
        "After LeCun et al. 1998, as it is usually written today: ReLU for its scaled tanh, max pooling "
        "for its trainable subsampling, each map of the second convolution connected to all of the first.",
    ),
    CatalogEntry(
        "lenet_tiny",
        "10C5p0-ReLU-MaxPool2-25C5p0-ReLU-MaxPool2-250-ReLU-K",
        "LeNet, four times smaller",
        "Half of each width of lenet. The course gives its name and its size only: the widths are our guess.",
    ),
    CatalogEntry(
        "lenet",
        "20C5p0-ReLU-MaxPool2-50C5p0-ReLU-MaxPool2-500-ReLU-K",
        "LeNet with 20 and 50 filters",
        "The LeNet that came with deep-learning frameworks for MNIST. The course does not say which "
        "LeNet it means: this one, and a ReLU after each convolution, are our guess.",
    ),
    CatalogEntry(
        "fashion_cnn",
        "32C3-BatchNorm-ReLU-MaxPool2-64C3p0-BatchNorm-ReLU-MaxPool2-600-Dropout0.25-120-K",
        "two convolutions with batch normalisation",
        "Found in many notebooks on Fashion-MNIST; that the course's FashionCNN is this one is our guess. "
        "As there, nothing stands between its three linear layers but dropout.",
    ),
    CatalogEntry(
        "network",
        "6C5p0-ReLU-MaxPool2-12C5p0-ReLU-MaxPool2-120-ReLU-60-ReLU-K",
        "the class Network of the backpropagation session",
        "Two convolutions of 5x5 without padding, then 192-120-60-10 with ReLU between.",
    ),
    CatalogEntry(
        "conv_net1",
        "8C5-ReLU-MaxPool2-500-ReLU-K",
        "one convolution and a wide hidden layer",
        "ConvNet of the dropout practical, where it reaches 98.3 % on MNIST. The ReLU after the hidden "
        "layer is our guess.",
    ),
    CatalogEntry(
        "conv_net2",
        "8C5-ReLU-MaxPool2-Dropout0.5-500-ReLU-K",
        "conv_net1 with dropout",
        "ConvNet2 of the dropout practical: dropout before the first linear layer is all that changes.",
    ),
    CatalogEntry(
        "conv_net3",
        "16C5-ReLU-MaxPool2-32C5-ReLU-MaxPool2-64C5-ReLU-MaxPool2-Dropout0.5-128-ReLU-Dropout0.5-256-ReLU-K",
        "three convolutions and two dropouts",
        "ConvNet3 of the dropout practical. The ReLU after each hidden layer is our guess.",
    ),
    CatalogEntry(
        "conv_net4",
        "2x(64C3-BatchNorm-ReLU)-MaxPool2-Dropout0.4-2x(128C3-BatchNorm-ReLU)-MaxPool2-Dropout0.4"
        "-2x(256C3-BatchNorm-ReLU)-AvgPool7-Dropout0.5-K",
        "six convolutions with batch normalisation and dropout",
        "ConvNet4 of the dropout practical, made for 28-pixel images: 99.1 % on MNIST, and slow.",
    ),
    CatalogEntry(
        "lecture_cnn",
        "10C5p0-ReLU-MaxPool2-20C5p0-ReLU-MaxPool2-K",
        "two convolutions and one linear layer",
        "The network of the PyTorch lecture: 320 features for the linear layer.",
    ),
    CatalogEntry(
        "stride_cnn",
        "16C3s2-ReLU-16C3s2-ReLU-10C3s2-ReLU-AvgPool4-Flatten",
        "three strided convolutions, no linear layer",
        "For 28-pixel images and 10 classes: the average pool leaves one score a class, after a ReLU that "
        "keeps scores from being negative. On 64-pixel images it would leave 40 outputs for 10 "
        "classes, a mistake of the course that goes unnoticed there and is refused here.",
    ),
    CatalogEntry(
        "resnet_mini",
        "16C3-BatchNorm-ReLU-MaxPool2-32C3-BatchNorm-ReLU-MaxPool2"
        "-Res(64C3-BatchNorm-ReLU-64C3-BatchNorm)-ReLU-Dropout0.3-128-K",
        "two convolutions and a residual block",
        "Ours. The block of He et al. 2016 stands where images are 7x7, so that its two convolutions of 64 "
        "filters cost little. Its linear layers read every place of them, which learns in fewer epochs than "
        "a global average; that there are two of them, with dropout, is what fashion_cnn does well.",
    ),
    CatalogEntry(
        "separable",
        "24C3-BatchNorm-ReLU-MaxPool2-DW3-96C1-BatchNorm-ReLU-MaxPool2-DW3-192C1-BatchNorm-ReLU"
        "-Dropout0.4-128-ReLU-K",
        "depthwise-separable convolutions",
        "Ours, after MobileNet (Howard et al. 2017): from the second layer on, a convolution is one 3x3 "
        "filter a channel, then a 1x1 convolution that mixes channels, for an eighth of the multiplications. "
        "What that saves pays for more channels; dropout keeps the wide linear layer from learning by heart.",
    ),
    CatalogEntry(
        "convmixer",
        "24C3-MaxPool2-GELU-GroupNorm4-64C3-MaxPool2-GELU-GroupNorm8"
        "-Res(DW3-GELU-GroupNorm8)-96C1-GELU-GroupNorm8-Dropout0.5-128-GELU-K",
        "mixes places and channels in turn, with GELU and group normalisation",
        "Ours, after ConvMixer (Trockman and Kolter 2022): a depthwise convolution with a skip mixes places, "
        "a 1x1 convolution mixes channels, GELU follows each. Group normalisation takes the place of batch "
        "normalisation, so that nothing depends on the rest of the batch; two convolutions are its patches.",
    ),
    CatalogEntry(
        "nab_fast",
        "24C3b0-MaxPool2-BatchNorm-ReLU-64C3b0-MaxPool2-BatchNorm-ReLU-96C3b0-MaxPool2-BatchNorm-ReLU"
        "-128-ReLU-K",
        "three convolutions that learn in two epochs",
        "Ours, for the preset fast, which brings it to 91.75 % on Fashion-MNIST (mean of 5 seeds) in half a "
        "minute on two cores. Wide layers learn in fewer steps than deep ones, and pooling right after each "
        "convolution leaves little to compute.",
    ),
)
