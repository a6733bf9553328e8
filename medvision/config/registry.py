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
}
TASKS = {"classification": "medvision.tasks.classification:ClassificationTask"}
