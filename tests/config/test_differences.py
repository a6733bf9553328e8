from medvision.config.differences import differences


def test_what_differs_is_told_by_its_setting():
    there = {"seed": 1, "optimizer": {"lr": 0.1, "name": "adamw"}, "schedule": {"name": "step", "every": 2}}
    here = {"seed": 1, "optimizer": {"lr": 0.01, "name": "adamw"}, "schedule": {"name": "none"}}
    told = "optimizer.lr is 0.1 there and 0.01 here, schedule.name is step there and none here, "
    assert differences(there, here) == told + "schedule.every is 2 there and None here"
    assert differences(there, there) == ""


def test_no_more_than_five_are_told():
    assert differences({str(n): n for n in range(9)}, {}).count(" there and ") == 5
