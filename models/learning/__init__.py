"""Learning one shot from an artist's key frames: arrays and tensors only, no files.

So it is used:

    teacher = Teacher([lesson], "matte", seed=1, device=torch.device("cpu"), start=None)
    teacher.prepare(lambda what, share: None)
    losses = [teacher.step() for _ in range(1000)]
    pupil = Pupil(network, teacher.weights())
"""

from models.learning.lesson import Lesson as Lesson
from models.learning.lesson import Predicted as Predicted
from models.learning.network import LearnedNetwork as LearnedNetwork
from models.learning.pupil import Pupil as Pupil
from models.learning.teacher import Teacher as Teacher
