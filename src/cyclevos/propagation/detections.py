"""A prediction as the detections of supervision, for its annotators, zones and other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cyclevos.errors import MissingExtraError
from cyclevos.masks import object_ids

if TYPE_CHECKING:
    from supervision import Detections

    from cyclevos.propagation.prediction import Prediction

# Shapes: N objects with pixels, H W pixels of the source.


def as_detections(prediction: Prediction) -> Detections:
    """Return ``supervision.Detections`` of N objects; see :meth:`Prediction.as_detections`.

    Raises:
        MissingExtraError: supervision is not installed.
    """
    try:
        import supervision
    except ImportError as error:
        raise MissingExtraError.of("as_detections", "supervision", "supervision") from error
    shown = object_ids(prediction.ids)
    if not shown:
        return supervision.Detections.empty()
    masks = np.stack([prediction.ids == i for i in shown])  # bool (N,H,W)
    reliability = np.array([prediction.reliability.get(i, np.nan) for i in shown], np.float32)
    return supervision.Detections(
        xyxy=supervision.mask_to_xyxy(masks).astype(np.float32),
        mask=masks,
        confidence=None if np.isnan(reliability).all() else reliability,
        class_id=np.array(shown),
        tracker_id=np.array(shown),
        data={"class_name": np.array([prediction.appearance.name(i) for i in shown])},
    )
