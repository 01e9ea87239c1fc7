"""A digital ankle or knee with known truth: a multi-echo scan simulated from anatomy, tissue properties and physics.

>>> from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
>>> phantom = make_phantom(PhantomSettings(shape=(48, 48, 24), field_of_view_mm=(220.5, 220.5, 102.0)))
>>> phantom.acquisition.shape
(24, 48, 48)
"""

from .companions import Companions, CompanionSettings, make_companions
from .settings import PhantomSettings
from .simulate import Phantom, make_phantom
from .trabeculae import Block

__all__ = ["Block", "CompanionSettings", "Companions", "Phantom", "PhantomSettings", "make_companions", "make_phantom"]
