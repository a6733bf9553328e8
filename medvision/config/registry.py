"""Short names of the shipped datamodules and tasks. Strings, so that reading an experiment imports none of them."""

DATAMODULES = {
    "folder": "medvision.datamodules.folder:Folder",
    "table": "medvision.datamodules.table:Table",
    "knee_sections": "medvision.datamodules.knee_sections:KneeSections",
    "joint_ultrasound": "medvision.datamodules.joint_ultrasound:JointUltrasound",
    "mura": "medvision.datamodules.mura:MURA",
    "medmnist": "medvision.datamodules.medmnist:MedMNIST",
    "knee_xray": "medvision.datamodules.knee_xray:KneeXray",
    "lung_us": "medvision.datamodules.lung_us:LungUltrasound",
    "chest_xray": "medvision.datamodules.chest_xray:ChestXray",
    "hip_us": "medvision.datamodules.hip_us:HipUltrasound",
    "double_contour": "medvision.datamodules.double_contour:DoubleContour",
    "mask_folder": "medvision.datamodules.mask_folder:MaskFolder",
    "tissue_ultrasound": "medvision.datamodules.tissue_ultrasound:TissueUltrasound",
    "nerve_us": "medvision.datamodules.nerve_us:NerveUltrasound",
    "fetal_head_us": "medvision.datamodules.fetal_head_us:FetalHeadUltrasound",
    "lungs_xray": "medvision.datamodules.lungs_xray:LungsXray",
}
TASKS = {
    "classification": "medvision.tasks.classification:ClassificationTask",
    "segmentation": "medvision.tasks.segmentation:SegmentationTask",
    "multitask": "medvision.tasks.multitask:MultiTask",
    "baseline": "medvision.tasks.baseline:BaselineTask",
}
