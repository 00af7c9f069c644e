-- A model's card without what grows with its classes and pictures, for lists.
create function brief_card(card jsonb) returns jsonb language sql immutable parallel safe
    return card - 'hardest' #- '{dataset,images_per_class}' #- '{metrics,confusion}' #- '{metrics,per_class}'
                #- '{metrics,calibration,bins}';
